"""Work that runners outside lease, do and answer."""
