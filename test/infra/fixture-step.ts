// Stands for any file of functions/ where a test looks at the stack alone.
export const handler = async (): Promise<void> => {};
