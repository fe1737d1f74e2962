#!/usr/bin/python3
"""The autoscaling rules that are shipped, run over demand: the algorithm of Kubernetes' HorizontalPodAutoscaler v2.

Source: kubernetes.io, "Horizontal Pod Autoscaling": desired = ceil(current × metric / target) unless the ratio is within
the tolerance, then stabilisation windows, then the policies. One step is the controller's period of 15 s.
"""
import csv
import math
import pathlib
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy/kubernetes"
STEP = 15  # seconds between two decisions of the controller
TOLERANCE = 0.1
LAG = 30  # seconds from a request to its count in the adapter: scrape, recording rule
WINDOW = 60  # seconds over which the recorded rate is a mean
START = 30  # seconds until a new pod is ready
SHED = 0.80
SCALE_UP_DELAY = LAG + WINDOW + STEP + START  # the longest time until one decision has its effect
MINUTE = 60 // STEP


def load(path):
    return yaml.safe_load((KUBERNETES / path).read_text())


HPA = load("components/hpa/autoscaler.yaml")["spec"]
KEDA = load("components/keda/scaled-object.yaml")["spec"]
CAPACITY = load("base/config/proxy.yaml")["admission"]["max_concurrent"]
TARGET = float(HPA["metrics"][0]["pods"]["target"]["averageValue"].rstrip("m")) / 1000


class Autoscaler:
    """Pure: `decide` takes the ratio of metric to target and gives the number of replicas."""

    def __init__(self, spec, replicas):
        self.behavior, self.low, self.high = spec["behavior"], spec["minReplicas"], spec["maxReplicas"]
        self.replicas, self.now = replicas, 0
        self.advice, self.changes = [], []  # (time, recommendation), (time, change)

    def decide(self, ratio):
        self.now += STEP
        wanted = self.replicas if abs(ratio - 1) <= TOLERANCE else math.ceil(self.replicas * ratio - 1e-9)
        wanted = min(max(wanted, self.low), self.high)
        self.advice.append((self.now, wanted))
        up = min(a for a in self._recent(self.advice, "scaleUp", wanted))
        down = max(a for a in self._recent(self.advice, "scaleDown", wanted))
        stable = self.replicas
        if stable < up:
            stable = up
        if stable > down:
            stable = down
        if stable > self.replicas:
            stable = min(stable, max(self._limit("scaleUp", p) for p in self.behavior["scaleUp"]["policies"]))
        elif stable < self.replicas:
            stable = max(stable, min(self._limit("scaleDown", p) for p in self.behavior["scaleDown"]["policies"]))
        stable = min(max(stable, self.low), self.high)
        self.changes.append((self.now, stable - self.replicas))
        self.replicas = stable
        return stable

    def _recent(self, advice, direction, wanted):
        window = self.behavior[direction]["stabilizationWindowSeconds"]
        return [a for t, a in advice if t > self.now - window] or [wanted]

    def _limit(self, direction, policy):
        sign = 1 if direction == "scaleUp" else -1
        done = sum(c for t, c in self.changes if t > self.now - policy["periodSeconds"] and c * sign > 0)
        start = self.replicas - done
        if policy["type"] == "Pods":
            return start + sign * policy["value"]
        share = start * (1 + sign * policy["value"] / 100)
        return math.ceil(share) if sign > 0 else math.floor(share)


def simulate(demand, spec=HPA, signal="offered", cpu_at_line=None, replicas=2):
    """demand: slots that all requests would hold, at each step. Rows of (replicas, ready, offered share, refused share)."""
    scaler, rows, started = Autoscaler(spec, replicas), [], [(-1000, replicas)]
    history = []
    for i, slots in enumerate(demand):
        now = i * STEP
        ready = min([n for t, n in started if t <= now - START][-1], scaler.replicas)
        offered = slots / (ready * CAPACITY)
        refused = max(0.0, 1 - SHED / offered) if offered > SHED else 0.0
        rows.append((scaler.replicas, ready, offered, refused))
        # The controller averages over all pods that report; those not ready yet report no demand.
        if signal == "offered":
            history.append(slots / CAPACITY)
        else:  # CPU follows the admitted requests, which the line limits
            history.append(min(offered, SHED) / SHED * cpu_at_line * ready)
        seen = history[max(0, i + 1 - (LAG + WINDOW) // STEP): max(1, i + 1 - LAG // STEP)]
        metric = sum(seen) / len(seen) / scaler.replicas
        before = scaler.replicas
        if scaler.decide(metric / (TARGET if signal == "offered" else 0.70)) != before:
            started.append((now, scaler.replicas))
    return rows


def turns(rows):
    """How often the number of replicas turns from rising to falling or back."""
    moves = [b[0] - a[0] for a, b in zip(rows, rows[1:]) if a[0] != b[0]]
    return sum(1 for a, b in zip(moves, moves[1:]) if a * b < 0)


def longest_above(rows):
    """Seconds of the longest time above the line."""
    longest = now = 0
    for row in rows:
        now = now + STEP if row[2] > SHED else 0
        longest = max(longest, now)
    return longest


def lost(rows, demand):
    """Share of all demand that was refused."""
    return sum(r[3] * d for r, d in zip(rows, demand)) / sum(demand)


RAMP = [60 + (240 - 60) * min(1, i / (20 * MINUTE)) for i in range(40 * MINUTE)]
SPIKE = [60] * (10 * MINUTE) + [240] * (30 * MINUTE)
WAVES = [120 if (i // (2 * MINUTE)) % 2 else 70 for i in range(120 * MINUTE)]
NIGHT = [240] * (20 * MINUTE) + [12] * (120 * MINUTE)
NOISE = [100 * (1 + 0.15 * math.sin(i * 2.4) + 0.1 * math.sin(i * 0.7)) for i in range(120 * MINUTE)]


class Algorithm(unittest.TestCase):
    """The examples of the documentation, so that the model is the published one."""

    def scaler(self, replicas, up=(), down=(), window=0):
        behavior = {"scaleUp": {"stabilizationWindowSeconds": 0, "policies": list(up) or [
            {"type": "Percent", "value": 1000, "periodSeconds": 15}]},
            "scaleDown": {"stabilizationWindowSeconds": window, "policies": list(down) or [
                {"type": "Percent", "value": 100, "periodSeconds": 15}]}}
        return Autoscaler({"behavior": behavior, "minReplicas": 1, "maxReplicas": 100}, replicas)

    def test_ratio_and_tolerance(self):
        self.assertEqual(self.scaler(3).decide(2.0), 6)
        self.assertEqual(self.scaler(3).decide(0.5), 2)
        self.assertEqual(self.scaler(3).decide(1.09), 3)
        self.assertEqual(self.scaler(3).decide(0.91), 3)

    def test_the_larger_of_two_policies(self):
        up = [{"type": "Pods", "value": 4, "periodSeconds": 60}, {"type": "Percent", "value": 10, "periodSeconds": 60}]
        self.assertEqual(self.scaler(10, up=up).decide(3), 14)
        self.assertEqual(self.scaler(60, up=up).decide(3), 66)

    def test_a_policy_counts_what_its_period_has_seen(self):
        scaler = self.scaler(10, down=[{"type": "Percent", "value": 10, "periodSeconds": 60}])
        self.assertEqual([scaler.decide(0.1) for _ in range(6)], [9, 9, 9, 9, 8, 8])

    def test_the_highest_need_of_the_window_counts(self):
        scaler = self.scaler(10, window=60)
        self.assertEqual([scaler.decide(r) for r in (1, 0.1, 0.1, 0.1, 0.1, 0.1)], [10, 10, 10, 10, 1, 1])


class Shipped(unittest.TestCase):
    def test_ramp_stays_below_the_line(self):
        rows = simulate(RAMP)
        self.assertLessEqual(longest_above(rows), SCALE_UP_DELAY)
        self.assertEqual(lost(rows, RAMP), 0)
        self.assertEqual(turns(rows), 0)

    def test_spike_is_over_after_two_doublings(self):
        rows = simulate(SPIKE)
        self.assertLessEqual(longest_above(rows), 2 * 60 + SCALE_UP_DELAY)
        self.assertEqual(turns(rows), 0)

    def test_what_is_refused_makes_it_grow(self):
        """The admitted part stays at the line from the start, and the replicas still grow."""
        rows = simulate(SPIKE)
        first = next(i for i, r in enumerate(rows) if r[3] > 0)
        self.assertGreater(rows[first + SCALE_UP_DELAY // STEP][0], rows[first][0])
        admitted_only = [min(d, SHED * CAPACITY * 2) for d in SPIKE]
        blind = simulate(admitted_only)
        self.assertLess(blind[-1][0], rows[-1][0], "a signal without the refused part asks for less than is needed")

    def test_waves_do_not_flap(self):
        for demand in (WAVES, NOISE):
            self.assertLessEqual(turns(simulate(demand)), 1)

    def test_night_brings_the_minimum_back_in_an_hour(self):
        rows = simulate(NIGHT, replicas=7)
        self.assertEqual(rows[80 * MINUTE][0], HPA["minReplicas"])
        after = [r[0] for r in rows[20 * MINUTE:]]
        self.assertEqual(after, sorted(after, reverse=True))
        self.assertEqual(max(r[3] for r in rows[20 * MINUTE:]), 0)

    def test_recorded_demand(self):
        """The climb of the launch gate, recorded by Prometheus on a service of 10 slots and scaled to this service."""
        with open(ROOT / "tests/deploy/traces/climb.csv", newline="") as file:
            recorded = [float(r["offered_slots"]) / float(r["capacity"]) for r in csv.DictReader(file)]
        demand = [2 * CAPACITY * r for r in recorded] + [2 * CAPACITY * recorded[-1]] * (10 * MINUTE)
        self.assertGreater(max(recorded), SHED)
        rows = simulate(demand)
        self.assertGreater(rows[-1][0], 2)
        self.assertEqual(rows[-1][3], 0)
        self.assertEqual(turns(rows), 0)

    def test_better_than_cpu(self):
        for name, demand in (("ramp", RAMP), ("spike", SPIKE)):
            ours = lost(simulate(demand), demand)
            for at_line in (0.4, 0.6, 0.9):  # CPU in use where shedding begins; a target of 70 % is usual
                cpu = lost(simulate(demand, signal="cpu", cpu_at_line=at_line), demand)
                print(f"{name}: refused {100 * ours:.1f} % by offered demand, {100 * cpu:.1f} % by CPU at {100 * at_line:.0f} %"
                      " where shedding begins")
                self.assertLessEqual(ours, cpu)
                if at_line < 0.7:
                    self.assertGreater(cpu, 0.3, "CPU never reaches its target: nothing is ever added")

    def test_keda_asks_for_the_same(self):
        self.assertEqual(KEDA["advanced"]["horizontalPodAutoscalerConfig"]["behavior"], HPA["behavior"])
        self.assertEqual((KEDA["minReplicaCount"], KEDA["maxReplicaCount"]), (HPA["minReplicas"], HPA["maxReplicas"]))
        trigger = KEDA["triggers"][0]
        self.assertEqual(float(trigger["metadata"]["threshold"]), TARGET)
        self.assertTrue(trigger["metadata"]["query"].startswith("sum(instance:spillway_offered_load:ratio{"))
        self.assertEqual(trigger["metricType"], "AverageValue")

    def test_keda_never_takes_replicas_away_while_it_is_blind(self):
        self.assertEqual(KEDA["fallback"]["replicas"], KEDA["maxReplicaCount"])

    def test_the_most_replicas_fit_into_postgresql(self):
        pool = load("base/config/api.yaml")["database"]
        surge = load("base/deployment.yaml")["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
        self.assertLessEqual((HPA["maxReplicas"] + surge) * (pool["pool_size"] + pool["max_overflow"]), 200 - 3)


if __name__ == "__main__":
    unittest.main()
