"""The live profile of a visitor: what it holds, how events fold into it, how it is built again from the store."""
