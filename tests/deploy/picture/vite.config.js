// Warnings about the packages' own code, such as eval, are nothing that could be changed here.
export default { build: { target: 'esnext', chunkSizeWarningLimit: 10000, rolldownOptions: { onwarn() {} } } };
