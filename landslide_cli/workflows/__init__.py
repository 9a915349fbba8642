"""The Python API: one public function per command, progress by callback, no printing."""
