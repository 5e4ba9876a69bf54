"""What comes from outside and what goes there: files, texts, the terminal."""
