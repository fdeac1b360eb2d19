//! Futures that are dropped: before their work began, while it runs, and when it has ended.
