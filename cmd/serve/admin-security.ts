/** Who may ask the admin API of `serve`, and whether others on the way can listen. */

/** The flags. */
export interface AdminFlags {
  /** `off`, or where the admin API listens; default: at its usual address, or nearby. */
  readonly admin?: string | undefined;
  /** Only users of the cluster, by name and password. */
  readonly adminAuth?: boolean | undefined;
  readonly adminCert?: string | undefined;
  readonly adminKey?: string | undefined;
}

/** Whether it may listen where others than processes of this host reach it. */
export function isAdminSafe({ adminAuth, adminCert }: AdminFlags): boolean {
  return adminAuth === true && adminCert !== undefined;
}
