"""ITI-65 Provide Document Bundle and ITI-105 Simplified Publish (IHE MHD 2:3.65, 2:3.105)."""
