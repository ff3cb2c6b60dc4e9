import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Where the Python package expects the page; `hatch_build.py` and `platform/web` name the same folder.
const BUILT = fileURLToPath(new URL("../src/spectral/platform/web/page", import.meta.url));

// `spectral dev` names the server that it started.
const API = process.env.SPECTRAL_API ?? "http://localhost:8000";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    outDir: BUILT,
    emptyOutDir: true,
    sourcemap: false,
    target: "es2023",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  server: {
    strictPort: true,
    // The server takes a refresh by cookie only from its own origin, which the proxy therefore keeps.
    proxy: Object.fromEntries(
      ["/api", "/otel", "/ws", "/docs", "/redoc", "/openapi.json", "/.well-known"].map((path) => [
        path,
        { target: API, changeOrigin: true, ws: path === "/ws", headers: { origin: API } },
      ]),
    ),
  },
  test: {
    environment: "happy-dom",
    include: ["src/**/*.test.{ts,tsx}"],
    restoreMocks: true,
  },
});
