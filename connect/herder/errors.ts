/** Why a herder does not do what it was asked to; `status` is that of Connect's REST API. */
export class HerderError extends Error {
  override readonly name: string = "HerderError";
  constructor(readonly status: number, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

export function notFound(message: string): HerderError {
  return new HerderError(404, message);
}

export function badRequest(message: string): HerderError {
  return new HerderError(400, message);
}

export function conflict(message: string): HerderError {
  return new HerderError(409, message);
}

/** Another worker has to be asked: its URL, or null while nobody knows whom. */
export class ElsewhereError extends HerderError {
  override readonly name = "ElsewhereError";
  constructor(readonly url: string | null, message: string) {
    super(409, message);
  }
}
