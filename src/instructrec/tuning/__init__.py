"""Instruction tuning: packing examples into rows, and one visible loop."""
