// Answers with the request that it saw.
export const handler = async (event) => {
  if (event.rawPath === '/crash') throw new Error('asked to crash');
  return {
    statusCode: 201,
    headers: { 'Content-Type': 'application/json', 'X-Seen': 'yes' },
    cookies: ['a=1; Secure', 'b=2'],
    body: JSON.stringify(event),
  };
};
