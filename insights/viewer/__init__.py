"""The viewer: server-rendered pages under /app that show why each visitor left and what was done about it."""
