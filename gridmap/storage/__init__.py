"""Tables, engine, repositories, history and migrations: everything that knows SQL, and nothing that decides."""
