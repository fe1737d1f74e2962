"""What users of the service do: log in once, then search, list and check, with a pause of one to three seconds.

  locust -f tests/load/locustfile.py --host http://localhost:8080
"""
import random

from locust import HttpUser, between, task

WORDS = ["engineering", "biology", "music", "history", "nursing", "mathematics", "design", "law"]
MAJORS = ["Engineering", "Biology", "Music", "History", "Nursing", "Mathematics"]
LISTED = 600  # scholarships of seed-demo


class Student(HttpUser):
    wait_time = between(1, 3)

    def on_start(self):
        self.log_in()

    def log_in(self):
        answer = self.client.post("/api/v1/auth/login", data={"username": "admin", "password": "admin123"}, name="login")
        self.client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}" if answer.ok else ""

    def ask(self, name, method, path, **arguments):
        with self.client.request(method, path, name=name, catch_response=True, **arguments) as answer:
            if answer.status_code == 401:  # the token's hour is over, or there was none
                self.log_in()

    @task(3)
    def search(self):
        self.ask("search", "GET", f"/api/v1/search?q={random.choice(WORDS)}&limit=20")

    @task(2)
    def list(self):
        self.ask("list", "GET", "/api/v1/scholarships?limit=20")

    @task(1)
    def eligibility(self):
        profile = {"gpa": round(random.uniform(2, 4), 2), "major": random.choice(MAJORS)}
        body = {"user_profile": profile, "scholarship_id": random.randint(1, LISTED)}
        self.ask("eligibility", "POST", "/api/v1/eligibility/check", json=body)
