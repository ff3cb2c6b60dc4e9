"""What a workflow is: documents, their compiled form, expressions, and the versions that a workspace keeps."""
