// The part of mjml that is called here; the package brings no types.
declare module 'mjml' {
  interface MjmlOptions {
    validationLevel?: 'strict' | 'soft' | 'skip';
    keepComments?: boolean;
    /** Web fonts by name, linked where a font-family names them. */
    fonts?: Record<string, string>;
  }
  /** Rejects with `errors` under `validationLevel: 'strict'`. */
  export default function mjml2html(
    source: string,
    options?: MjmlOptions,
  ): Promise<{ html: string; errors: unknown[] }>;
}
