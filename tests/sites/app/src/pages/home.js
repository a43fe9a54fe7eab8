export const render = () => `<h1>Signals</h1><p>Release ${__RELEASE__}</p>`;
