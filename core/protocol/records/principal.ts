/** How a principal is passed between brokers and kept in delegation tokens. */
import { bool, data, string } from "../schema.ts";

/** A principal of the default kind, after an int16 version. */
export const defaultPrincipalData = data({
  name: "DefaultPrincipalData",
  versions: "0",
  flexible: "0+",
  fields: {
    type: string("0+"),
    name: string("0+"),
    tokenAuthenticated: bool("0+"),
  },
});
