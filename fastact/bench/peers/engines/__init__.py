"""An adapter for each engine: a module with a class `Engine`, as :class:`fastact.bench.peers.rivals.Engine` says."""
