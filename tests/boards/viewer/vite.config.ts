import { defineConfig } from 'vite';

export default defineConfig({
  base: './',
  define: { 'process.env.NODE_ENV': '"production"', 'process.env': '{}' },
  build: { chunkSizeWarningLimit: 20_000, minify: false, target: 'esnext' },
});
