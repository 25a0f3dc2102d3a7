"""A module per use case: permission, transaction, history line, result. No Streamlit, no SQL text."""
