"""How calls are composed, as pure data: shapes of signatures, how they unfold into messages, how their parts join. No I/O."""
