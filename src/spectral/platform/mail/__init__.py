"""Mail: written in the transaction that causes it, sent after the commit, at least once."""
