// RELEASE is in every chunk, so that two releases have no chunk's name in common.
import { defineConfig } from "vite";

export default defineConfig({
  define: { __RELEASE__: JSON.stringify(process.env.RELEASE ?? "1") },
  build: { outDir: "built", modulePreload: { polyfill: false } },
});
