"""Who measures, holds and locks: rows on one side, meters on the other."""
