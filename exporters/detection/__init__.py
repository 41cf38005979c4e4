"""What is put behind a detector's heads in the file itself."""
