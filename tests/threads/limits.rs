//! How much runs at once, and who says so.
