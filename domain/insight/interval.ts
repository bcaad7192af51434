// How sure a figure of the models is.
import type { PurchaseModel } from './models.ts';

/**
 * The standard error of ln f, where f > 0 is a figure that follows from the parameters: the delta method, by central
 * differences in the logarithms of the parameters and their covariance. `undefined` where the model has none.
 */
export function logError(model: PurchaseModel, f: (model: PurchaseModel) => number): number | undefined {
  const { covariance } = model;
  if (covariance === undefined) return undefined;
  const names = (['r', 'alpha', 'a', 'b'] as const).filter((name) => model[name] !== undefined);
  const step = 1e-4;
  const slopes = names.map((name, i) => {
    if (!((covariance[i * names.length + i] ?? 0) > 0)) return 0;
    const at = (by: number): number => Math.log(f({ ...model, [name]: (model[name] ?? 1) * Math.exp(by) }));
    return (at(step) - at(-step)) / (2 * step);
  });
  let variance = 0;
  slopes.forEach((one, i) => {
    slopes.forEach((other, j) => {
      variance += one * other * (covariance[i * names.length + j] ?? 0);
    });
  });
  return Number.isFinite(variance) ? Math.sqrt(Math.max(0, variance)) : undefined;
}
