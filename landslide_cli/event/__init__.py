"""The event folder: its files, its record, its versions."""
