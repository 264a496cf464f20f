"""Where messages and results are kept: the contracts of broker and result backend, and a module or package per technology."""
