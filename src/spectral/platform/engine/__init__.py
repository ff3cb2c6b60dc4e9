"""The one door to durable execution: work that outlives a request and the death of the process that ran it."""
