"""What the end-to-end tests share: the daemon under test, raw sessions, plain socket peers."""
