"""What is written: titles, descriptions, keywords and topics, four-hour windows."""
