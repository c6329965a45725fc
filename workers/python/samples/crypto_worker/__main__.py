import argparse
import logging

from powerhose import Worker

from . import SERVICES, handle

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="crypto_worker", description="Verifies BrowserID assertions and issues tokens.")
    parser.add_argument("endpoint", nargs="?", help="where the master listens for workers [$POWERHOSE_CONNECT]")
    parser.add_argument("--slots", type=int, default=1, help="jobs that run at the same time [1]")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    Worker(handle, options.endpoint, services=SERVICES, slots=options.slots, mode="process" if options.slots > 1 else "thread").main()
