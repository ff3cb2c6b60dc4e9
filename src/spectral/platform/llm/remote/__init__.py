"""Models over the network, called with the providers' own client libraries; those are loaded at the first call."""
