const e=()=>"<h1>About</h1><p>Release 1</p>";export{e as render};
