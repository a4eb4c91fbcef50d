"""What changed between two runs, and what each change was worth."""
