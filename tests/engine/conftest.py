"""The engine's tests run as the engine does: numpy's products in one thread."""

from engine import device

device.one_thread_products()
