"""Search strategies: each proposes configurations that may be better than the champion."""
