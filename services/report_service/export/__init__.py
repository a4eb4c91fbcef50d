"""Reports as files: an encoder a format, and the reading of a report chunk by chunk that feeds it."""
