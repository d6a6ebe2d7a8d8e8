// The client as an ES module: import { AntiphonClient } from "/voice/antiphon.mjs".
import "./antiphon.js";

export const { AntiphonClient, AntiphonError } = globalThis.Antiphon;
export default AntiphonClient;
