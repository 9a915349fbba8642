"""What comes from space, onto one grid."""
