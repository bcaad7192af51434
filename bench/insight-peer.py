# The peer of `npm run -s bench -- insight`: the same fit and the same predictions by Python's lifetimes. Reads x,tx,T in weeks.
import json, sys, time
import numpy as np
from lifetimes import BetaGeoFitter

x, tx, T = np.loadtxt(sys.argv[1], delimiter=",", unpack=True)
start = time.process_time()
fitter = BetaGeoFitter(penalizer_coef=0.0).fit(x, tx, T)
fitted = time.process_time()
fitter.conditional_expected_number_of_purchases_up_to_time(365 / 7, x, tx, T)
predicted = time.process_time()
print(json.dumps({
    "fitMs": 1000 * (fitted - start),
    "predictMicros": 1e6 * (predicted - fitted) / len(x),
    "parameters": {name: float(value) for name, value in fitter.params_.items()},
}))
