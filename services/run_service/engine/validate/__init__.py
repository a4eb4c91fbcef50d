"""An allocation of another system against the rules of a run, and beside what the run decided."""
