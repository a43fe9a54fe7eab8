const e=()=>"<h1>Signals</h1><p>Release 1</p>";export{e as render};
