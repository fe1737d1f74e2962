"""The same users, more of them at each step, until the demand far exceeds the capacity of the service."""
import os

from locust import LoadTestShape
from locustfile import Student  # noqa: F401 (Locust looks for user classes here)

STEP_SECONDS = int(os.environ.get("STEP_SECONDS", "30"))
USERS = [20, 40, 60, 80, 120, 160, 200]  # half as many requests a second


class Climb(LoadTestShape):
    def tick(self):
        step = int(self.get_run_time() // STEP_SECONDS)
        return (USERS[step], 20) if step < len(USERS) else None
