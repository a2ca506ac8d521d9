"""The words of the product as types: event types, reasons, actions, stages. Pure; imports nothing of ours."""
