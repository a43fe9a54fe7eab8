const a="/assets/flag-BaZZHjZT.svg",e=s=>`<h1>Signal ${s}</h1><img src="${a}" alt=""><p>Release 2</p>`;export{e as render};
