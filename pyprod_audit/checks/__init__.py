"""The functions that rules name, one module a theme; `api` says what they see and yield."""
