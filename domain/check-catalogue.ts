// Checks the catalogue: relations lead to products that there are, and to none back to itself.
import { type Fault, sayPath, suggest } from './fault.ts';
import type { Catalogue } from './settings.ts';

/** Faults of a catalogue: relations to products that do not exist, and to themselves. */
export function checkCatalogue(catalogue: Catalogue, file: string): Fault[] {
  const faults: Fault[] = [];
  const ids = Object.keys(catalogue.products);
  const unknown = (to: string, path: (string | number)[]): void => {
    const near = suggest(to, ids);
    faults.push({
      code: 'reference.product',
      file,
      path: sayPath(path),
      message: `product "${to}" does not exist.`,
      ...(near === undefined ? {} : { remedy: near }),
    });
  };
  for (const [id, product] of Object.entries(catalogue.products)) {
    const related = [
      ...(product.complements ?? []).map((to, index) => ({ to, path: ['products', id, 'complements', index] })),
      ...(product.upgrade === undefined ? [] : [{ to: product.upgrade, path: ['products', id, 'upgrade'] }]),
    ];
    for (const { to, path } of related) {
      if (to === id) {
        faults.push({
          code: 'reference.product',
          file,
          path: sayPath(path),
          message: 'names the product itself.',
          remedy: 'Take it out.',
        });
      } else if (!ids.includes(to)) unknown(to, path);
    }
  }
  catalogue.popular?.forEach((to, index) => {
    if (!ids.includes(to)) unknown(to, ['popular', index]);
  });
  return faults;
}
