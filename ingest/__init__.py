"""MQTT -> store. Acknowledges what is stored, never sooner."""
